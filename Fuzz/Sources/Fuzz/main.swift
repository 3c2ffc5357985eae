import CLibFuzzer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// Fuzz HARNESS [libFuzzer's arguments]: libFuzzer takes the place of the harness's name for its program's.
guard CommandLine.argc >= 2, let harness = harnesses[CommandLine.arguments[1]] else {
    let usage = "usage: Fuzz \(harnesses.keys.sorted().joined(separator: "|")) [LIBFUZZER_ARGUMENT]...\n"
    write(STDERR_FILENO, usage, usage.utf8.count)
    exit(64)
}
var argumentCount = CommandLine.argc - 1
var arguments = CommandLine.unsafeArgv + 1
arguments[0] = CommandLine.unsafeArgv[0]
exit(LLVMFuzzerRunDriver(&argumentCount, &arguments, harness))
