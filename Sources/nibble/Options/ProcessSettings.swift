import ArgumentParser
import CUDAKernels
import Kernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The settings that come from the environment; nothing else in Nibble reads it.
enum ProcessSettings {
    /// A setting and where its value came from.
    struct Setting<Value> {
        let value: Value
        let source: String
    }

    /// The environment that libraries are given.
    static var environment: [String: String] {
        var variables: [String: String] = [:]
        for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"] {
            variables[name] = variable(name)
        }
        return variables
    }

    /// `NIBBLE_THREADS`, or nil for the backend's default.
    static func threadCount() throws -> Setting<Int?> {
        guard let text = variable("NIBBLE_THREADS") else { return Setting(value: nil, source: "default") }
        guard let count = Int(text), CPUBackend.threadCounts.contains(count) else {
            throw SettingError(
                description: """
                    NIBBLE_THREADS: expected \(CPUBackend.threadCounts.lowerBound) to \
                    \(CPUBackend.threadCounts.upperBound), found '\(text)'
                    """)
        }
        return Setting(value: count, source: "NIBBLE_THREADS")
    }

    /// `NIBBLE_CPU`, or nil for the best instruction set of this machine.
    static func instructionSet() throws -> Setting<InstructionSet?> {
        guard let text = variable("NIBBLE_CPU") else { return Setting(value: nil, source: "default") }
        guard let set = InstructionSet(rawValue: text), set.isAvailable else {
            let known = InstructionSet.available.map(\.rawValue).joined(separator: ", ")
            throw SettingError(
                description: "NIBBLE_CPU: expected one that this processor has (\(known)), found '\(text)'")
        }
        return Setting(value: set, source: "NIBBLE_CPU")
    }

    /// `NIBBLE_MOE_BACKEND`, or the choice by the number of tokens.
    static func moeBackend() throws -> MoEBackend {
        guard let text = variable("NIBBLE_MOE_BACKEND") else { return .auto }
        guard let backend = MoEBackend(rawValue: text) else {
            let known = MoEBackend.allCases.map(\.rawValue).joined(separator: ", ")
            throw SettingError(description: "NIBBLE_MOE_BACKEND: expected one of \(known), found '\(text)'")
        }
        return backend
    }

    /// A variable that is set and not empty.
    static func variable(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }
}

/// An environment variable with a value that Nibble cannot use.
struct SettingError: Error, CustomStringConvertible {
    let description: String
}
