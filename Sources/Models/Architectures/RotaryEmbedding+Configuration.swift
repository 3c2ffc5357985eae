import Kernels
import ModelFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The frequencies of rotary embeddings, computed in float32 as transformers does.
///
/// Source: `modeling_rope_utils.py` of transformers 5.23. Version 4 files have `rope_theta` and `rope_scaling`,
/// version 5 files have both in `rope_parameters`.
extension RotaryEmbedding {
    init(_ fields: ConfigObject, headSize: Int, pairing: Pairing) throws {
        let scaling = try Self.scaling(fields)
        for kind in scaling?.keys ?? [] {
            guard let scaling, case .object = scaling[kind] else { continue }
            throw scaling.error(.unsupported, kind, "rotary embeddings for each kind of layer are not supported")
        }
        let base =
            try scaling?.optionalNumber("rope_theta", in: 1...1e12)
            ?? fields.number("rope_theta", in: 1...1e12, default: 10000)
        let partial =
            try scaling?.optionalNumber("partial_rotary_factor")
            ?? fields.number("partial_rotary_factor", default: 1)
        guard partial == 1 else {
            throw fields.error(.unsupported, "partial_rotary_factor", "expected 1, found \(partial)")
        }
        let unscaled = (0..<headSize / 2).map { 1 / powf(Float(base), Float(2 * $0) / Float(headSize)) }

        let typeField = Self.typeField(scaling)
        switch try scaling?.string(typeField, default: "default") {
        case nil, "default"?:
            self.init(inverseFrequencies: unscaled, pairing: pairing)
        case "linear"?:
            let factor = Float(try scaling?.number("factor", in: 1...1e6) ?? 1)
            self.init(inverseFrequencies: unscaled.map { $0 / factor }, pairing: pairing)
        case "llama3"?:
            let llama3 = try Llama3Scaling(scaling ?? fields)
            self.init(inverseFrequencies: unscaled.map(llama3.scaled), pairing: pairing)
        case "yarn"?:
            let yarn = try YaRNScaling(scaling ?? fields, model: fields, base: Float(base), headSize: headSize)
            self.init(
                inverseFrequencies: yarn.scaled(unscaled), pairing: pairing, magnitude: yarn.magnitude)
        case let other?:
            throw (scaling ?? fields).error(
                .unsupported, typeField,
                "expected default, linear, llama3 or yarn, found \(other.quotedForMessage)")
        }
    }

    /// The positions that YaRN stretches a model's own to, where these are stated.
    ///
    /// `max_position_embeddings` often still is what the model was trained with, as the model cards of Qwen3 have it.
    static func stretchedLength(_ fields: ConfigObject) throws -> Int? {
        guard let scaling = try scaling(fields), try scaling.string(typeField(scaling), default: "default") == "yarn",
            let original = try scaling.optionalInteger("original_max_position_embeddings", in: 1...1 << 30)
        else { return nil }
        return min(Int(Double(original) * (try scaling.number("factor", in: 1...1e6))), 1 << 30)
    }

    private static func scaling(_ fields: ConfigObject) throws -> ConfigObject? {
        try fields.optionalObject("rope_parameters") ?? fields.optionalObject("rope_scaling")
    }

    private static func typeField(_ scaling: ConfigObject?) -> String {
        scaling?.has("rope_type") == true ? "rope_type" : "type"
    }
}

/// Llama 3: long wavelengths are stretched by `factor`, short ones kept, those between interpolated.
private struct Llama3Scaling {
    let factor: Float
    let lowFrequencyFactor: Float
    let highFrequencyFactor: Float
    let originalLength: Float

    init(_ scaling: ConfigObject) throws {
        factor = Float(try scaling.number("factor", in: 1...1e6))
        lowFrequencyFactor = Float(try scaling.number("low_freq_factor", in: 1e-6...1e6))
        highFrequencyFactor = Float(try scaling.number("high_freq_factor", in: 1e-6...1e6))
        originalLength = Float(try scaling.integer("original_max_position_embeddings", in: 1...1 << 30))
    }

    func scaled(_ frequency: Float) -> Float {
        let wavelength = 2 * Float.pi / frequency
        if wavelength > originalLength / lowFrequencyFactor { return frequency / factor }
        // Scout has equal factors: the band between is empty and its formula divides by zero.
        if wavelength < originalLength / highFrequencyFactor || highFrequencyFactor <= lowFrequencyFactor {
            return frequency
        }
        let smooth =
            (originalLength / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
        return (1 - smooth) * frequency / factor + smooth * frequency
    }
}

/// YaRN: pairs that turn often keep their frequency, slow ones are stretched by `factor`.
///
/// Source: Peng et al. 2023.
private struct YaRNScaling {
    let factor: Float
    /// The pairs between which the ramp runs.
    let ramp: (low: Float, high: Float)
    /// What multiplies sine and cosine.
    let magnitude: Float

    init(_ scaling: ConfigObject, model: ConfigObject, base: Float, headSize: Int) throws {
        let factor = Float(try scaling.number("factor", in: 1...1e6))
        let originalLength = Float(
            try scaling.optionalInteger("original_max_position_embeddings", in: 1...1 << 30)
                ?? model.integer("max_position_embeddings", in: 1...1 << 30))
        let betaFast = Float(try scaling.number("beta_fast", in: 1e-6...1e6, default: 32))
        let betaSlow = Float(try scaling.number("beta_slow", in: 1e-6...1e6, default: 1))
        /// The pair that turns `rotations` times within the original length.
        func pair(_ rotations: Float) -> Float {
            Float(headSize) * logf(originalLength / (rotations * 2 * .pi)) / (2 * logf(base))
        }
        var low = pair(betaFast)
        var high = pair(betaSlow)
        if try scaling.bool("truncate", default: true) {
            low.round(.down)
            high.round(.up)
        }
        ramp = (max(low, 0), min(high, Float(headSize - 1)))
        magnitude = try Self.magnitude(scaling, factor: factor)
        self.factor = factor
    }

    private static func magnitude(_ scaling: ConfigObject, factor: Float) throws -> Float {
        if let given = try scaling.optionalNumber("attention_factor", in: 0...1e6) { return Float(given) }
        func magnitude(_ weight: Float) -> Float { factor <= 1 ? 1 : 0.1 * weight * logf(factor) + 1 }
        if let weight = try scaling.optionalNumber("mscale", in: 0...1e6),
            let weightOfAll = try scaling.optionalNumber("mscale_all_dim", in: 0...1e6), weight != 0, weightOfAll != 0
        {
            return magnitude(Float(weight)) / magnitude(Float(weightOfAll))
        }
        return magnitude(1)
    }

    func scaled(_ frequencies: [Float]) -> [Float] {
        let width = ramp.high == ramp.low ? 0.001 : ramp.high - ramp.low
        return frequencies.enumerated().map { pair, frequency in
            let stretched = min(max((Float(pair) - ramp.low) / width, 0), 1)
            return frequency / factor * stretched + frequency * (1 - stretched)
        }
    }
}
