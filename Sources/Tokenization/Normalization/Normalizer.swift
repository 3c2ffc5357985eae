internal import ModelFiles

/// The Unicode normalization before tokenization.
struct Normalizer: Sendable {
    /// The forms to apply, one after the other.
    let forms: [NormalizationForm]

    /// Reads `normalizer`, which may be absent: `NFC`, `NFD` or a `Sequence` of them.
    init(_ field: JSONField?) throws(ModelFileError) {
        var forms: [NormalizationForm] = []
        if let field {
            for element in try field.flattened(by: "normalizers") {
                let type = try element.type()
                guard let form = NormalizationForm(rawValue: type) else {
                    throw element.unsupported(type, "null, NFC, NFD and Sequence")
                }
                forms.append(form)
            }
        }
        self.forms = forms
    }

    /// Normalizes valid UTF-8.
    func callAsFunction(_ bytes: [UInt8]) -> [UInt8] {
        forms.reduce(bytes) { bytes, form in form.normalize(bytes) }
    }
}
