/// A for statement.
final class ForLoop: Sendable {
    let target: Target
    let iterable: Expression
    let filter: Expression?
    let isRecursive: Bool
    let body: [Statement]
    let otherwise: [Statement]
    let line: Int

    init(
        target: Target, iterable: Expression, filter: Expression?, isRecursive: Bool, body: [Statement],
        otherwise: [Statement], line: Int
    ) {
        self.target = target
        self.iterable = iterable
        self.filter = filter
        self.isRecursive = isRecursive
        self.body = body
        self.otherwise = otherwise
        self.line = line
    }
}
