/// Lends texts as an array of C strings, each ended by a zero byte.
func withCStrings<Result>(
    _ texts: [String], _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
    var bytes: [CChar] = []
    var offsets: [Int] = []
    for text in texts {
        offsets.append(bytes.count)
        bytes += text.utf8.map { CChar(bitPattern: $0) }
        bytes.append(0)
    }
    return bytes.withUnsafeBufferPointer { bytes in
        let pointers = offsets.map { offset in bytes.baseAddress.map { UnsafePointer($0 + offset) } }
        return pointers.withUnsafeBufferPointer(body)
    }
}
