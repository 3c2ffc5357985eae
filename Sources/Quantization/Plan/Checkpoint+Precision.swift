import ModelFiles

extension Checkpoint {
    /// Throws if the weights are quantized already, by any method.
    func expectFullPrecision() throws {
        func quantized(_ file: String, _ item: String?) -> ModelFileError {
            ModelFileError(
                .unsupported, file: file, item: item,
                "the model is quantized already; quantize its BF16, FP16 or FP32 original")
        }
        if let config = folder.quantizationConfig { throw quantized(config.file, nil) }
        for config in [config, try config.optionalObject("text_config")].compactMap({ $0 }) {
            for key in ["quantization_config", "compression_config"] where config.has(key) {
                throw quantized(config.file, key)
            }
        }
        let packed = tensors.first { tensor in
            tensor.shape.count >= 2
                && ![.bf16, .f16, .f32, .f64, .c64, .bool, .i64, .u64].contains(tensor.elementType)
        }
        if let packed { throw quantized(packed.file.path, packed.name.shortenedForMessage) }
    }
}
