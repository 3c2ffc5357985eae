/// The type of a tensor's elements, spelled as in safetensors headers.
///
/// Source: the `Dtype` enumeration of the safetensors library, version 0.7.
public enum ElementType: String, Sendable, CaseIterable {
    /// One byte, 0 or 1.
    case bool = "BOOL"
    /// Two E2M1 values a byte; the shape counts values, not bytes.
    case f4 = "F4"
    /// Six-bit floating point with two exponent bits.
    case f6E2M3 = "F6_E2M3"
    /// Six-bit floating point with three exponent bits.
    case f6E3M2 = "F6_E3M2"
    /// Unsigned byte; also two packed FP4 codes, or an E8M0 scale.
    case u8 = "U8"
    /// Signed byte.
    case i8 = "I8"
    /// Eight-bit floating point with infinities.
    case f8E5M2 = "F8_E5M2"
    /// Eight-bit floating point without infinities (`float8_e4m3fn`), the block scale of NVFP4.
    case f8E4M3 = "F8_E4M3"
    /// A power of two, the block scale of MXFP4.
    case f8E8M0 = "F8_E8M0"
    /// E4M3 with one zero and another bias.
    case f8E4M3FNUZ = "F8_E4M3FNUZ"
    /// E5M2 with one zero and another bias.
    case f8E5M2FNUZ = "F8_E5M2FNUZ"
    /// Signed, 16 bits.
    case i16 = "I16"
    /// Unsigned, 16 bits.
    case u16 = "U16"
    /// IEEE half precision.
    case f16 = "F16"
    /// The upper half of an IEEE single.
    case bf16 = "BF16"
    /// Signed, 32 bits.
    case i32 = "I32"
    /// Unsigned, 32 bits.
    case u32 = "U32"
    /// IEEE single precision.
    case f32 = "F32"
    /// A pair of IEEE singles.
    case c64 = "C64"
    /// IEEE double precision.
    case f64 = "F64"
    /// Signed, 64 bits.
    case i64 = "I64"
    /// Unsigned, 64 bits.
    case u64 = "U64"

    /// The size of an element in bits.
    public var bitCount: Int {
        switch self {
        case .f4: 4
        case .f6E2M3, .f6E3M2: 6
        case .bool, .u8, .i8, .f8E5M2, .f8E4M3, .f8E8M0, .f8E4M3FNUZ, .f8E5M2FNUZ: 8
        case .i16, .u16, .f16, .bf16: 16
        case .i32, .u32, .f32: 32
        case .c64, .f64, .i64, .u64: 64
        }
    }
}
