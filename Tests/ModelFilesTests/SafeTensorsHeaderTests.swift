import ModelFiles
import Testing

/// A malformed file and what is said about it.
struct Malformed: Sendable, CustomTestStringConvertible {
    let name: String
    let code: ModelFileError.Code
    let message: String
    let bytes: [UInt8]

    init(_ name: String, _ message: String, _ bytes: [UInt8], code: ModelFileError.Code = .malformed) {
        self.name = name
        self.code = code
        self.message = message
        self.bytes = bytes
    }

    /// A file with this header text.
    init(
        _ name: String, _ message: String, header: String, data: Int = 0, code: ModelFileError.Code = .malformed
    ) {
        self.init(name, message, SafeTensorsFixture.file(header: header, dataByteCount: data), code: code)
    }

    /// A file with one tensor.
    init(
        _ name: String, _ message: String, entry: String, data: Int = 0, code: ModelFileError.Code = .malformed
    ) {
        self.init(name, message, header: "{\"t\":\(entry)}", data: data, code: code)
    }

    var testDescription: String { name }
}

private typealias Fixture = SafeTensorsFixture

@Suite struct SafeTensorsHeaderTests {
    static let malformed: [Malformed] = [
        Malformed("empty file", "at least 8 bytes, this one has 0", []),
        Malformed("seven bytes", "at least 8 bytes, this one has 7", [2, 0, 0, 0, 0, 0, 0]),
        Malformed("length only", "but only 0 follow", Fixture.file(headerByteCount: 2, header: [])),
        Malformed(
            "header longer than the file", "has 3 bytes, but only 2",
            Fixture.file(headerByteCount: 3, header: [0x7B, 0x7D])),
        Malformed(
            "length of 2^64 - 1", "more than the 100000000", Fixture.file(headerByteCount: .max, header: [0x7B, 0x7D])),
        Malformed(
            "length of 2^63", "more than the 100000000", Fixture.file(headerByteCount: 1 << 63, header: [0x7B, 0x7D])),
        Malformed(
            "length over the limit", "100000001 bytes",
            Fixture.file(headerByteCount: 100_000_001, header: [0x7B, 0x7D])),
        Malformed("length of 0", "does not begin with '{'", Fixture.file(headerByteCount: 0, header: [])),
        Malformed("space before the header", "does not begin with '{'", header: " {}"),
        Malformed("byte order mark", "does not begin with '{'", header: "\u{FEFF}{}"),
        Malformed("array as header", "does not begin with '{'", header: "[]"),
        Malformed("pickle", "more than the 100000000", [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20]),
        Malformed("unclosed object", "not valid JSON: expected a string", header: "{"),
        Malformed("text after the header", "unexpected text", header: "{}x"),
        Malformed("zeros after the header", "unexpected text", header: "{}\0\0"),
        Malformed("two headers", "unexpected text", header: "{}{}"),
        Malformed(
            "invalid UTF-8", "not valid UTF-8",
            Fixture.file(headerByteCount: 6, header: [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x7D])),
        Malformed("deep nesting", "nested deeper than 8", header: "{\"t\":" + String(repeating: "[", count: 1000)),
        Malformed(
            "two tensors of one name", "duplicate key 't'",
            header: "{\(Fixture.entry("t", "U8", [1], 0, 1)),\(Fixture.entry("t", "U8", [1], 1, 2))}", data: 2),
        Malformed("duplicate metadata", "duplicate key", header: #"{"__metadata__":{},"__metadata__":{}}"#),
        Malformed("metadata is a string", "expected an object, found a string", header: #"{"__metadata__":"pt"}"#),
        Malformed("metadata value is a number", "'a': expected a string", header: #"{"__metadata__":{"a":1}}"#),
        Malformed("metadata is null", "expected an object, found null", header: #"{"__metadata__":null}"#),
        Malformed("tensor is null", "expected an object, found null", entry: "null"),
        Malformed("tensor is a number", "expected an object, found an integer", entry: "1"),
        Malformed("no dtype", "has no dtype", entry: #"{"shape":[],"data_offsets":[0,0]}"#),
        Malformed("no shape", "has no shape", entry: #"{"dtype":"U8","data_offsets":[0,0]}"#),
        Malformed("no data_offsets", "has no data_offsets", entry: #"{"dtype":"U8","shape":[0]}"#),
        Malformed(
            "duplicate dtype", "duplicate key 'dtype'",
            entry: #"{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}"#),
        Malformed(
            "dtype is a number", "dtype: expected a string", entry: #"{"dtype":8,"shape":[0],"data_offsets":[0,0]}"#),
        Malformed(
            "unknown dtype", "unknown dtype 'F7'", entry: #"{"dtype":"F7","shape":[0],"data_offsets":[0,0]}"#,
            code: .unsupported),
        Malformed(
            "dtype in lower case", "unknown dtype 'bf16'", entry: #"{"dtype":"bf16","shape":[0],"data_offsets":[0,0]}"#,
            code: .unsupported),
        Malformed(
            "empty dtype", "unknown dtype ''", entry: #"{"dtype":"","shape":[0],"data_offsets":[0,0]}"#,
            code: .unsupported),
        Malformed(
            "shape is a number", "shape: expected an array", entry: #"{"dtype":"U8","shape":1,"data_offsets":[0,1]}"#,
            data: 1),
        Malformed(
            "negative extent", "expected integers of at least 0",
            entry: #"{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}"#, data: 1),
        Malformed(
            "two negative extents", "at least 0", entry: #"{"dtype":"U8","shape":[-1,-1],"data_offsets":[0,1]}"#,
            data: 1),
        Malformed(
            "fractional extent", "at least 0", entry: #"{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}"#, data: 1),
        Malformed(
            "extent as a string", "at least 0", entry: #"{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}"#, data: 1),
        Malformed(
            "extent of 2^63", "at least 0",
            entry: #"{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}"#, data: 1),
        Malformed(
            "seventeen dimensions", "at most 16",
            entry: "{\"dtype\":\"U8\",\"shape\":\([Int](repeating: 1, count: 17)),\"data_offsets\":[0,1]}", data: 1),
        Malformed(
            "product overflows", "no size",
            entry: #"{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}"#),
        Malformed(
            "product overflows to the right size", "no size",
            entry: #"{"dtype":"U8","shape":[4294967297,4294967296,4294967296],"data_offsets":[0,0]}"#),
        Malformed(
            "bits overflow", "no size", entry: #"{"dtype":"F64","shape":[288230376151711745],"data_offsets":[0,8]}"#,
            data: 8),
        Malformed(
            "half a byte", "no size in whole bytes", entry: #"{"dtype":"F4","shape":[3],"data_offsets":[0,1]}"#, data: 1
        ),
        Malformed(
            "six bits", "no size in whole bytes", entry: #"{"dtype":"F6_E2M3","shape":[1],"data_offsets":[0,1]}"#,
            data: 1),
        Malformed(
            "offsets are an object", "data_offsets: expected an array",
            entry: #"{"dtype":"U8","shape":[0],"data_offsets":{}}"#),
        Malformed(
            "one offset", "a begin and an end, found [0]", entry: #"{"dtype":"U8","shape":[0],"data_offsets":[0]}"#),
        Malformed("three offsets", "at most 2", entry: #"{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}"#),
        Malformed(
            "negative offset", "at least 0", entry: #"{"dtype":"U8","shape":[2],"data_offsets":[-1,1]}"#, data: 1),
        Malformed(
            "end before begin", "a begin and an end, found [2, 1]",
            entry: #"{"dtype":"U8","shape":[1],"data_offsets":[2,1]}"#, data: 2),
        Malformed(
            "offsets too wide", "has 4 bytes, but its data_offsets span 5",
            entry: #"{"dtype":"F32","shape":[1],"data_offsets":[0,5]}"#, data: 5),
        Malformed(
            "offsets too narrow", "has 4 bytes, but its data_offsets span 3",
            entry: #"{"dtype":"F32","shape":[1],"data_offsets":[0,3]}"#, data: 3),
        Malformed(
            "end at the largest integer", "out of range",
            header: "{\(Fixture.entry("t", "U8", [.max / 8], .max - .max / 8, .max))}"),
        Malformed(
            "exabyte tensor", "the file is truncated",
            entry: #"{"dtype":"U8","shape":[1000000000000000000],"data_offsets":[0,1000000000000000000]}"#, data: 4),
        Malformed("scalar without bytes", "has 4 bytes", entry: #"{"dtype":"F32","shape":[],"data_offsets":[0,0]}"#),
        Malformed(
            "no data", "have 4 bytes, but 0 follow the header: the file is truncated",
            entry: #"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#),
        Malformed("data without tensors", "have 0 bytes, but 1 follow", header: "{}", data: 1),
        Malformed(
            "byte too many", "have 4 bytes, but 5 follow", entry: #"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#,
            data: 5),
        Malformed(
            "gap at the start", "leaves a gap before it, expected 0",
            entry: #"{"dtype":"U8","shape":[1],"data_offsets":[1,2]}"#, data: 2),
        Malformed(
            "gap between tensors", "leaves a gap before it, expected 1",
            header: "{\(Fixture.entry("a", "U8", [1], 0, 1)),\(Fixture.entry("b", "U8", [1], 2, 3))}", data: 3),
        Malformed(
            "overlap", "overlaps the tensor before it, expected 2",
            header: "{\(Fixture.entry("a", "U8", [2], 0, 2)),\(Fixture.entry("b", "U8", [2], 1, 3))}", data: 3),
        Malformed(
            "same bytes twice", "overlaps the tensor before it",
            header: "{\(Fixture.entry("a", "U8", [2], 0, 2)),\(Fixture.entry("b", "U8", [2], 0, 2))}", data: 2),
        Malformed(
            "empty tensor inside another", "overlaps",
            header: "{\(Fixture.entry("a", "U8", [2], 0, 2)),\(Fixture.entry("b", "U8", [0], 1, 1))}", data: 2),
        Malformed("empty name", "name must have 1 to 1024 bytes", header: "{\(Fixture.entry("", "U8", [0], 0, 0))}"),
        Malformed(
            "long name", "name must have 1 to 1024 bytes",
            header: "{\(Fixture.entry(String(repeating: "n", count: 1025), "U8", [0], 0, 0))}"),
    ]

    @Test("refuses malformed files and says why", arguments: malformed)
    func refuses(malformed: Malformed) {
        let error = malformed.bytes.withUnsafeBytes { bytes in
            #expect(throws: ModelFileError.self) { try SafeTensorsHeader(parsing: bytes, file: "f.safetensors") }
        }
        #expect(error?.code == malformed.code)
        #expect(error?.message.contains(malformed.message) == true, "\(String(describing: error))")
        #expect(error?.description.hasPrefix("f.safetensors: ") == true)
        #expect(error?.description.contains("\n") == false)
        #expect((error?.description.utf8.count ?? .max) < 500)
    }

    @Test("orders tensors by their bytes and counts from the start of the file")
    func ordersTensors() throws {
        let header =
            "{\(Fixture.entry("b", "U8", [3], 4, 7)),\(Fixture.entry("a", "F32", [], 0, 4)),"
            + "\(Fixture.entry("z", "F16", [0, 5], 7, 7)),\(Fixture.entry("y", "BOOL", [0], 7, 7)),"
            + "\"__metadata__\":{\"format\":\"pt\",\"ä\":\"\"}}   "
        let file = Fixture.file(header: header, dataByteCount: 7)
        let parsed = try file.withUnsafeBytes { try SafeTensorsHeader(parsing: $0, file: "f") }
        let start = 8 + header.utf8.count
        #expect(parsed.tensors.map(\.name) == ["a", "b", "z", "y"])
        #expect(
            parsed.tensors.map(\.byteRange) == [
                start..<start + 4, start + 4..<start + 7, start + 7..<start + 7, start + 7..<start + 7,
            ])
        #expect(parsed.tensors.map(\.elementCount) == [1, 3, 0, 0])
        #expect(parsed.tensors.map(\.shape) == [[], [3], [0, 5], [0]])
        #expect(parsed.metadata == ["format": "pt", "ä": ""])
    }

    @Test("knows the size of every element type", arguments: ElementType.allCases)
    func elementTypes(elementType: ElementType) throws {
        let header = "{\(Fixture.entry("t", elementType.rawValue, [2, 4], 0, elementType.bitCount))}"
        let file = Fixture.file(header: header, dataByteCount: elementType.bitCount)
        let tensor = try file.withUnsafeBytes { try SafeTensorsHeader(parsing: $0, file: "f") }.tensors[0]
        #expect(tensor.elementType == elementType)
        #expect(tensor.byteRange.count == elementType.bitCount)
    }

    @Test("accepts an empty object, unknown fields and the largest name and rank")
    func acceptsEdges() throws {
        let name = String(repeating: "n", count: 1024)
        let shape = [Int](repeating: 1, count: 16)
        for (header, data) in [
            ("{}", 0), ("{\(Fixture.entry(name, "U8", shape, 0, 1))}", 1),
            (#"{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"extra":{"a":[null]}}}"#, 1),
        ] {
            let file = Fixture.file(header: header, dataByteCount: data)
            #expect(throws: Never.self) { try file.withUnsafeBytes { try SafeTensorsHeader(parsing: $0, file: "f") } }
        }
    }
}
