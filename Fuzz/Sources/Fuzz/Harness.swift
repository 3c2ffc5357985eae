/// What libFuzzer calls with each input; a C function, so it can capture nothing.
typealias Harness = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt

/// The harnesses by the names that `run.sh` takes.
let harnesses: [String: Harness] = [
    "safetensors": { start, count in
        fuzzSafeTensors(UnsafeRawBufferPointer(start: start, count: count))
        return 0
    },
    "config": { start, count in
        fuzzConfig(UnsafeRawBufferPointer(start: start, count: count))
        return 0
    },
    "tokenizer": { start, count in
        fuzzTokenizer(UnsafeRawBufferPointer(start: start, count: count))
        return 0
    },
    "template": { start, count in
        fuzzTemplate(UnsafeRawBufferPointer(start: start, count: count))
        return 0
    },
]

/// Runs the body, which may refuse the input with a message of one line.
func refusing(_ body: () throws -> Void) {
    do {
        try body()
    } catch {
        let message = "\(error)".utf8
        precondition(!message.isEmpty && !message.contains(UInt8(ascii: "\n")), "expected a message of one line")
    }
}
