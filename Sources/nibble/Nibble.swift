import ArgumentParser
import ModelFiles

@main
struct Nibble: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "nibble",
        abstract: "Runs FP4 (NVFP4, MXFP4) mixture-of-experts language models at the speed of memory.",
        discussion: """
            Results go to standard output, everything else to standard error. Exit codes: 0, 1 (the run failed), 64 \
            (wrong use).
            """,
        version: version,
        groupedSubcommands: [
            CommandGroup(name: "Run a model", subcommands: [Generate.self, Logits.self, PerplexityCommand.self]),
            CommandGroup(name: "Look at and convert checkpoints", subcommands: [Inspect.self, Quantize.self]),
            CommandGroup(
                name: "Look at this machine", subcommands: [EnvironmentCommand.self, SelfTestCommand.self, Bench.self]),
        ]
    )

    static func main() async {
        MappedFile.exitOnLostBytes()
        await main(nil)
    }
}
