/// Some decoding steps, and the rates at which memory was read just before and after them.
public struct DecodeStretch: Sendable {
    /// The positions of the tokens.
    public let positions: Range<Int>
    /// Seconds of each step.
    public let stepSeconds: [Double]
    /// Bytes per second that all threads read before the first step.
    public let bandwidthBefore: Double
    /// Bytes per second that all threads read after the last step.
    public let bandwidthAfter: Double

    /// The part of the bandwidth that the steps reached.
    ///
    /// - Parameter byteCount: gives the bytes that the step of a position reads.
    func shareOfBandwidth(byteCount: (_ position: Int) -> Int) -> Double {
        let byteCount = Double(positions.reduce(0) { $0 + byteCount($1) }) / Double(positions.count)
        return byteCount / Statistics(stepSeconds).median / ((bandwidthBefore + bandwidthAfter) / 2)
    }
}
