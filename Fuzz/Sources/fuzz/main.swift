// fuzz HARNESS [libFuzzer's options] [corpus folders]; `run.sh` builds and runs it.
import CLibFuzzer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The harnesses by name.
///
/// Each gets any bytes and must neither trap nor run long; what it throws is caught within.
let harnesses: [String: Harness] = [
    "json": fuzzJSON,
    "safetensors": fuzzSafeTensors,
    "config": fuzzConfig,
    "tokenizer": fuzzTokenizer,
    "encoding": fuzzEncoding,
    "template": fuzzTemplate,
]

guard CommandLine.argc > 1, let harness = harnesses[CommandLine.arguments[1]] else {
    print("usage: fuzz \(harnesses.keys.sorted().joined(separator: "|")) [libFuzzer options] [corpus folders]")
    exit(64)
}
selectedHarness = harness

// libFuzzer sees the arguments without the name of the harness.
var argumentCount = CommandLine.argc - 1
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
CommandLine.unsafeArgv[1] = CommandLine.unsafeArgv[0]
exit(LLVMFuzzerRunDriver(&argumentCount, &arguments, testOneInput))
