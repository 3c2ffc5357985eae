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

    /// The part of the bandwidth that the steps reached, if each read `weights` bytes and `cachePerPosition` bytes for
    /// each position so far.
    func shareOfBandwidth(weights: Int, cachePerPosition: Int) -> Double {
        let meanPosition = Double(positions.lowerBound + positions.upperBound + 1) / 2
        let byteCount = Double(weights) + Double(cachePerPosition) * meanPosition
        return byteCount / Statistics(stepSeconds).median / ((bandwidthBefore + bandwidthAfter) / 2)
    }
}
