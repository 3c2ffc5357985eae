import ArgumentParser
import Kernels
import ModelFiles

struct EnvironmentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "env", abstract: "Show the version, this machine, and the settings in effect.")

    @Option(help: "How to print: lines of text, or a JSON object.")
    var outputFormat: OutputFormat = .text

    /// A line: what it is, its value, and where the value comes from.
    struct Row {
        let name: String
        let value: String
        let source: String
    }

    func run() async throws {
        let rows = try settings()
        switch outputFormat {
        case .text:
            let width = rows.map(\.name.count).max() ?? 0
            for row in rows {
                let padding = String(repeating: " ", count: width - row.name.count)
                try StandardOutput.print("\(row.name)\(padding)  \(row.value)  (\(row.source))")
            }
        case .json:
            var members: JSONObject = [:]
            for row in rows {
                members[row.name] = .object(["value": .string(row.value), "source": .string(row.source)])
            }
            try StandardOutput.print(JSON.object(members).text(indented: true))
        }
    }

    private func settings() throws -> [Row] {
        let threads = try ProcessSettings.threadCount()
        let instructions = try ProcessSettings.instructionSet()
        let backend = try CPUBackend(threadCount: threads.value, instructionSet: instructions.value)
        let cache = ModelLocation.cacheFolder(environment: ProcessSettings.environment)
        return [
            Row(name: "version", value: Nibble.version, source: "nibble"),
            Row(name: "model", value: (try? ShippedModel.folder()) ?? "not found", source: "default of --model"),
            Row(name: "device", value: "cpu", source: "default"),
            Row(
                name: "cpu features", value: CPUBackend.processorFeatures.joined(separator: " "), source: "this machine"
            ),
            Row(name: "cpu kernels", value: backend.instructionSet.rawValue, source: instructions.source),
            Row(name: "threads", value: "\(backend.threadCount)", source: threads.source),
            Row(name: "activations", value: ActivationPrecision.full.rawValue, source: "default"),
            Row(
                name: "hugging face cache", value: cache ?? "none",
                source: "HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME or HOME"),
        ] + cudaRows
    }
}
