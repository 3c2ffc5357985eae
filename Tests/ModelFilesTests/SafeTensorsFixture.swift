/// Bytes of safetensors files, sound and not, written independently of `SafeTensorsWriter`.
enum SafeTensorsFixture {
    /// A file of this header text followed by `dataByteCount` bytes that count up.
    static func file(header: String, dataByteCount: Int = 0) -> [UInt8] {
        file(headerByteCount: UInt64(header.utf8.count), header: Array(header.utf8), dataByteCount: dataByteCount)
    }

    /// A file whose header length may be a lie.
    static func file(headerByteCount: UInt64, header: [UInt8], dataByteCount: Int = 0) -> [UInt8] {
        let length = (0..<8).map { UInt8(truncatingIfNeeded: headerByteCount >> (8 * $0)) }
        return length + header + (0..<dataByteCount).map { UInt8(truncatingIfNeeded: $0) }
    }

    /// The member of a header for one tensor.
    static func entry(_ name: String, _ dtype: String, _ shape: [Int], _ begin: Int, _ end: Int) -> String {
        #""\#(name)":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":[\#(begin),\#(end)]}"#
    }

    /// A sound file of about 4 KiB with five tensors.
    static let small: [UInt8] = {
        let entries = [
            #""__metadata__":{"format":"pt"}"#, entry("model.norm.weight", "F32", [64], 0, 256),
            entry("model.layers.0.mlp.weight_scale_2", "F32", [], 256, 260),
            entry("model.layers.0.mlp.weight", "U8", [16, 128], 260, 2308),
            entry("model.layers.0.mlp.weight_scale", "F8_E4M3", [16, 16], 2308, 2564),
            entry("model.embed_tokens.weight", "BF16", [10, 50], 2564, 3564),
        ]
        return file(header: "{" + entries.joined(separator: ",") + "}  ", dataByteCount: 3564)
    }()
}
