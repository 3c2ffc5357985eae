import ModelFiles
import Models

/// The JSON reader; what it reads, it must write as text that reads back as the same value.
@Sendable func fuzzJSON(_ bytes: UnsafeRawBufferPointer) {
    guard let value = try? JSON(parsing: bytes) else { return }
    for indented in [false, true] {
        guard let again = try? JSON(parsing: value.text(indented: indented)) else {
            preconditionFailure("the text of a JSON value is not JSON")
        }
        precondition(again == value, "the text of a JSON value reads back as another")
    }
}

/// The header of a safetensors file; the tensors it admits must tile the file.
@Sendable func fuzzSafeTensors(_ bytes: UnsafeRawBufferPointer) {
    guard let header = try? SafeTensorsHeader(parsing: bytes, file: "fuzz.safetensors") else { return }
    var end = header.tensors.first?.byteRange.lowerBound ?? bytes.count
    for tensor in header.tensors {
        precondition(tensor.byteRange.lowerBound == end, "the tensors leave a gap or overlap")
        end = tensor.byteRange.upperBound
    }
    precondition(end == bytes.count, "the tensors do not fill the file")
}

/// `config.json` with its quantization, and the specification of the model that it describes.
@Sendable func fuzzConfig(_ bytes: UnsafeRawBufferPointer) {
    guard let json = try? JSON(parsing: bytes), let config = try? ConfigObject(json, file: "config.json") else {
        return
    }
    if let quantization = try? QuantizationConfig(config: config) {
        _ = quantization.excludes("model.layers.0.mlp.experts.7.gate_proj")
        _ = quantization.excludes("lm_head")
    }
    _ = try? ModelSpecification(config: config)
}
