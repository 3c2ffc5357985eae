/// A program under test: it reads some bytes, however malformed.
typealias Harness = @Sendable (UnsafeRawBufferPointer) -> Void

/// The harness that was named on the command line; set once, before libFuzzer starts.
nonisolated(unsafe) var selectedHarness: Harness = { _ in }

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    selectedHarness(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
