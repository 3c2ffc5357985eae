/// An error on its way to the place that knows the template's name and line.
struct Failure: Error {
    let code: TemplateError.Code
    let message: String

    init(_ code: TemplateError.Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ message: String) { self.init(.evaluation, message) }
}
