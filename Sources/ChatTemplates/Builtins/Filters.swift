/// A filter: `value | name(arguments)`.
typealias Filter = @Sendable (Value, Arguments, Evaluator) throws(Failure) -> Value

/// Jinja's filters.
enum Filters {
    static let all: [String: Filter] = textFilters.merging(sequenceFilters) { first, _ in first }
        .merging(selectionFilters) { first, _ in first }
        .merging(valueFilters) { first, _ in first }
}
