internal import OrderedCollections

/// `namespace(…)`: the one object whose attributes a template may set.
final class Namespace {
    var attributes: OrderedDictionary<PythonString, Value>

    init(_ attributes: OrderedDictionary<PythonString, Value>) { self.attributes = attributes }
}
