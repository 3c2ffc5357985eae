import Kernels
import ModelFiles

// The experts of a layer, as modules of their own (`<name>.0.gate_proj`, …; see TensorReader+Linear) or fused:
//
//   plain     <name>.gate_up_proj                  F32, F16 or BF16 [E, H, 2 I]      outputs last
//   ModelOpt  <name>.gate_up_proj                  U8 [E, H / 2, 2 I]                outputs last
//             <name>.gate_up_proj_weight_scale     F8_E4M3 [E, H / 16, 2 I]          outputs last
//             <name>.gate_up_proj_weight_scale_2   F32 [], [E] or [E, 2]
//             <name>.gate_up_proj_input_scale      F32 [] or [E]
//   gpt-oss   <name>.gate_up_proj_blocks           U8 [E, 2 I, H / 32, 16]           inputs last
//             <name>.gate_up_proj_scales           U8 [E, 2 I, H / 32]               inputs last
//
// and the same for `down_proj` with `[I, H]` in place of `[H, 2 I]`; biases `<name>.gate_up_proj_bias [E, 2 I]` and
// `<name>.down_proj_bias [E, H]`.
extension TensorReader {
    /// The weights of all experts of a layer.
    func experts(_ experts: ExpertsSpecification) throws -> [ExpertWeights] {
        let name = experts.name
        let isFused =
            checkpoint.hasTensor(named: name + ".gate_up_proj")
            || checkpoint.hasTensor(named: name + ".gate_up_proj_blocks")
        return isFused ? try fusedExperts(experts) : try separateExperts(experts)
    }

    private func fusedExperts(_ experts: ExpertsSpecification) throws -> [ExpertWeights] {
        let intermediateSize = experts.intermediateSize
        let gateUp = try FusedExperts(
            self, experts.name + ".gate_up_proj", count: experts.count, outputSize: 2 * intermediateSize,
            inputSize: experts.hiddenSize)
        let down = try FusedExperts(
            self, experts.name + ".down_proj", count: experts.count, outputSize: experts.hiddenSize,
            inputSize: intermediateSize)
        let biases = try fusedBiases(experts)
        let gateRows: FusedExperts.Rows
        let upRows: FusedExperts.Rows
        switch experts.fusedOrder {
        case .halves:
            gateRows = .init(first: 0, step: 1, count: intermediateSize, half: 0)
            upRows = .init(first: intermediateSize, step: 1, count: intermediateSize, half: 1)
        case .interleaved:
            gateRows = .init(first: 0, step: 2, count: intermediateSize, half: 0)
            upRows = .init(first: 1, step: 2, count: intermediateSize, half: 1)
        }
        let downRows = FusedExperts.Rows(first: 0, step: 1, count: experts.hiddenSize, half: 0)
        return (0..<experts.count).map { index in
            ExpertWeights(
                gate: gateUp.matrix(index, gateRows), up: gateUp.matrix(index, upRows),
                down: down.matrix(index, downRows),
                biases: biases.map { biases in
                    ExpertWeights.Biases(
                        gate: gateRows.select(biases.gateUp[index]), up: upRows.select(biases.gateUp[index]),
                        down: biases.down[index])
                })
        }
    }

    private func fusedBiases(
        _ experts: ExpertsSpecification
    ) throws -> (gateUp: [[Float]], down: [[Float]])? {
        let (gateUpName, downName) = (experts.name + ".gate_up_proj_bias", experts.name + ".down_proj_bias")
        guard experts.hasBias else {
            if let unexpected = try checkpoint.tensor(ifPresent: gateUpName) ?? checkpoint.tensor(ifPresent: downName) {
                throw unexpected.error(.mismatched, "experts of this architecture have no bias")
            }
            return nil
        }
        func rows(_ name: String, width: Int) throws -> [[Float]] {
            let values = try floats(try tensor(name, shape: [experts.count, width]))
            return (0..<experts.count).map { Array(values[$0 * width..<($0 + 1) * width]) }
        }
        return (
            try rows(gateUpName, width: 2 * experts.intermediateSize), try rows(downName, width: experts.hiddenSize)
        )
    }
}
