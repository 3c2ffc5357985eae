import Kernels
import ModelFiles
import Testing

@testable import Models

@Suite struct RotaryConfigurationTests {
    private func rotary(_ fields: String) throws -> RotaryEmbedding {
        let config = try ConfigObject(JSON(parsing: fields), file: "config.json")
        return try RotaryEmbedding(config, headSize: 4, pairing: .halfSplit)
    }

    @Test("the base is read where versions 4 and 5 of transformers write it")
    func base() throws {
        for fields in [#"{"rope_theta": 10000}"#, #"{"rope_parameters": {"rope_theta": 10000}}"#, "{}"] {
            #expect(try rotary(fields).inverseFrequencies == [1, 0.01])
        }
    }

    @Test("parameters for each kind of layer are refused, not left out")
    func layerTypes() {
        let error = #expect(throws: ModelFileError.self) {
            try rotary(#"{"rope_parameters": {"full_attention": {"rope_theta": 1e6}}}"#)
        }
        #expect(error?.item == "rope_parameters.full_attention")
        #expect(error?.code == .unsupported)
    }
}
