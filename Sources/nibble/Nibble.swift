import ArgumentParser

@main
struct Nibble: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "FP4 mixture-of-experts models at the speed of memory.")
}
