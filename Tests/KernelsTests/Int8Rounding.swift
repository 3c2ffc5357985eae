/// What `--activations int8` leaves of a row: for each 16 values integers from -127 to 127 times a scale, which is 1/127 of
/// the largest of them in 11 bits, so that the products are float32 values.
func roundedToInt8(_ row: [Float]) -> [Float] {
    stride(from: 0, to: row.count, by: 16).flatMap { start in
        let values = row[start..<start + 16]
        let largest = values.reduce(0) { max($0, $1.magnitude) }
        guard largest > 0 else { return [Float](repeating: 0, count: 16) }
        let scale = Float(bitPattern: ((max(largest, 0x1p-67) / 127).bitPattern + 0x800) & 0xFFFF_F000)
        return values.map { ($0 * (1 / scale)).rounded(.toNearestOrEven) * scale }
    }
}
