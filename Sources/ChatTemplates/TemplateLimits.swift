/// What one rendering may cost before it is stopped.
///
/// A template comes with a model and is as little trusted as the model's other files.
public struct TemplateLimits: Sendable, Equatable {
    /// Statements, loop iterations, operators, attributes, filters and tests count 1, calls 3.
    ///
    /// The template of gpt-oss takes a number of steps that is quadratic in the tool calls of a conversation: 500,000
    /// are enough for 300 of them.
    public var steps: Int
    /// The length of the rendered text in bytes of UTF-8.
    public var outputBytes: Int
    /// Unicode scalars and elements that all operations together may read or make.
    ///
    /// A scalar counts 1 and an element of a list 8, which is also what each of them takes in words of 4 bytes; so
    /// this bounds the memory as well.
    public var work: Int
    /// How deep blocks, expressions and macro calls may be nested while they run.
    public var depth: Int

    /// The longest template that is parsed, in bytes of UTF-8.
    public static let sourceBytes = 256 << 10
    /// How deep blocks and expressions may be nested in the text of a template.
    public static let syntaxDepth = 40
    /// How deep lists and dictionaries may be nested.
    public static let valueDepth = 128
    /// The most elements that `range` makes, as in Jinja's sandbox.
    public static let rangeCount = 100_000

    /// Limits that published templates meet with room to spare and that stop every program within 200 ms.
    public init(steps: Int = 500_000, outputBytes: Int = 4 << 20, work: Int = 16 << 20, depth: Int = 256) {
        self.steps = steps
        self.outputBytes = outputBytes
        self.work = work
        self.depth = depth
    }
}
