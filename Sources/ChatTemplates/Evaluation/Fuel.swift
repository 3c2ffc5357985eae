/// What is left of the limits of one rendering.
///
/// Every operation pays before it works, so that no size is allocated that the limits do not cover.
final class Fuel {
    private let limits: TemplateLimits
    private var steps: Int
    private var work: Int
    private var depth = 0

    init(_ limits: TemplateLimits) {
        self.limits = limits
        steps = limits.steps
        work = limits.work
    }

    /// Pays for evaluation steps.
    func step(_ count: Int = 1) throws(Failure) {
        guard steps >= count else { throw Failure(.limit, "the template runs longer than \(limits.steps) steps") }
        steps -= count
    }

    /// Pays for reading or making `count` scalars.
    func charge(_ count: Int) throws(Failure) {
        guard count <= work else {
            throw Failure(.limit, "the template works on more than \(limits.work) characters and elements")
        }
        work -= count
    }

    /// Pays for `count` elements of a list.
    func charge(elements count: Int) throws(Failure) {
        let (amount, overflow) = count.multipliedReportingOverflow(by: 8)
        try charge(overflow ? Int.max : amount)
    }

    /// Pays for looking up Unicode properties of every scalar, which takes long outside of ASCII.
    func charge(propertiesOf string: PythonString) throws(Failure) {
        try charge(string.count)
        for scalar in string.scalars where !scalar.isASCII { try charge(16) }
    }

    /// Pays for printing or reading a float, or something that takes as long.
    func chargeForFloat() throws(Failure) { try charge(512) }

    /// Pays for a call of the C library that may take microseconds.
    func chargeForFormatting() throws(Failure) { try charge(4096) }

    /// Enters a nested block, expression or call; every `enter` that returns is followed by one `leave`.
    func enter() throws(Failure) {
        guard depth < limits.depth else {
            throw Failure(.limit, "blocks, expressions and macro calls are nested deeper than \(limits.depth)")
        }
        depth += 1
    }

    /// Leaves what ``enter()`` entered.
    func leave() { depth -= 1 }
}
