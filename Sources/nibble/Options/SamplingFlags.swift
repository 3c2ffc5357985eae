import ArgumentParser
import Engine
import ModelFiles

/// How tokens are drawn; what is not given comes from the model's `generation_config.json`.
///
/// Numbers are parsed unconditionally, here and in the other commands: `-1` is a number out of range, not a flag.
struct SamplingFlags: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Divides the logits; 0 is greedy. (default: the model's, else 0)", valueName: "t"))
    var temperature: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Keep the k most likely tokens; 0 keeps all. (default: the model's, else 0)", valueName: "k")
    )
    var topK: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Keep the likeliest tokens that sum to this probability. (default: the model's, else 1)", valueName: "p"))
    var topP: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Drop tokens below this share of the likeliest one. (default: the model's, else 0)", valueName: "p"))
    var minP: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Divide logits of tokens that occurred; 1 changes nothing. (default: the model's, else 1)", valueName: "r"))
    var repetitionPenalty: Double?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Seed of the random numbers. (default: a new one)", valueName: "s"))
    var seed: UInt64?

    func validate() throws {
        do {
            try options(nil).validate()
        } catch {
            throw ValidationError("--\(error)")
        }
    }

    /// The flags over the model's settings over the defaults.
    func options(_ model: GenerationConfig?) -> SamplingOptions {
        SamplingOptions(
            temperature: temperature ?? (model?.samples == true ? model?.temperature ?? 1 : 0),
            topK: topK ?? model?.topK ?? 0, topP: topP ?? model?.topP ?? 1, minP: minP ?? model?.minP ?? 0,
            repetitionPenalty: repetitionPenalty ?? model?.repetitionPenalty ?? 1,
            seed: seed ?? UInt64.random(in: 0...UInt64(UInt32.max)))
    }
}
