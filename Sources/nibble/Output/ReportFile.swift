import ModelFiles

/// A file for results that take long: created before the work, so that it does not fail at its end, and deleted again
/// unless something is written to it.
final class ReportFile {
    private var file: OutputFile

    /// Creates the file.
    ///
    /// - Throws: `ModelFileError` if there is something already, or the file cannot be written.
    init(creating path: String) throws(ModelFileError) { file = try OutputFile(creating: path) }

    /// Replaces what the file holds with what is known by now.
    func update(_ text: String) throws(ModelFileError) { try file.replace(with: text) }
}
