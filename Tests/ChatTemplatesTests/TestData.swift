import ModelFiles
import TestSupport
import Testing

@testable import ChatTemplates

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The bytes of a file, which a test cannot do without.
func contents(of path: String) throws -> String {
    let file = try #require(fopen(path, "rb"), "cannot open \(path)")
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        if count == 0 { break }
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

extension JSON {
    /// The JSON in a file.
    init(contentsOf path: String) throws { self = try JSON(parsing: try contents(of: path)) }

    var string: String? { if case .string(let value) = self { value } else { nil } }

    var elements: [JSON] { if case .array(let value) = self { value } else { [] } }

    var members: JSONObject { if case .object(let value) = self { value } else { [:] } }
}

/// A template and what the reference makes of it.
struct RenderCase: Sendable, CustomTestStringConvertible {
    let template: String
    let expected: Expected

    enum Expected: Sendable {
        case output(String)
        /// The message of the exception, without its class.
        case error(String)
    }

    init(_ json: JSON) throws {
        template = try #require(json["template"]?.string)
        if let output = json["output"]?.string {
            expected = .output(output)
        } else {
            let message = try #require(json["error"]?.string)
            expected = .error(message.split(separator: ": ", maxSplits: 1).last.map(String.init) ?? message)
        }
    }

    var testDescription: String { template }
}
