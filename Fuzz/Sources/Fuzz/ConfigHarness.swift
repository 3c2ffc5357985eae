import ModelFiles
import Models

/// The input is a `config.json`, and also a `quantization_config` and a `hf_quant_config.json`, which is the same
/// object.
func fuzzConfig(_ input: UnsafeRawBufferPointer) {
    refusing {
        let json = try JSON(parsing: input)
        // A number may be written in another form, but not as another value.
        let again = try JSON(parsing: json.text())
        precondition(again == json, "the text of a value reads as another value")
        let config = try ConfigObject(json, file: "config.json")
        refusing { check(try QuantizationConfig(config: config)) }
        refusing { _ = try ModelSpecification(config: config) }
        refusing {
            let parent = try ConfigObject(.object(["quantization_config": json]), file: "config.json")
            check(try QuantizationConfig(config: parent))
        }
    }
}

/// Patterns of excluded modules come from the file as well.
private func check(_ quantization: QuantizationConfig) {
    _ = quantization.excludes("model.layers.11.self_attn.q_proj")
    _ = quantization.excludes("lm_head")
}
