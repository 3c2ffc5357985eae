/// What kernels are compiled for: `sm_90a`.
public struct Architecture: Sendable, Hashable, CustomStringConvertible {
    /// The compute capability's first number: 9 for Hopper.
    public let major: Int
    /// The compute capability's second number.
    public let minor: Int

    /// An architecture by its compute capability.
    public init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Whether the code uses instructions that exist on this generation only, such as Hopper's wgmma.
    ///
    /// Such code runs on exactly this compute capability, which is that of the device it was compiled for.
    public var isSpecific: Bool { major >= 9 }

    /// The compute capability as one number, `90`.
    public var number: Int { major * 10 + minor }

    /// The compiler's name of it: `sm_80`, `sm_90a`.
    public var description: String { isSpecific ? "sm_\(number)a" : "sm_\(number)" }
}
