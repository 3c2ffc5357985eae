/// Finds the folder of a model that a user names.
public enum ModelLocation {
    /// The folder of the cache of Hugging Face's tools, or nil if the environment does not tell.
    public static func cacheFolder(environment: [String: String]) -> String? {
        HubRepository.cacheFolder(environment: environment)
    }

    /// The folder of a model: the path of one, or `ORGANISATION/NAME[@REVISION]` in the cache of Hugging Face's tools.
    ///
    /// The network is never used. The cache is where `huggingface_hub` looks for it: `$HF_HUB_CACHE`, else
    /// `$HF_HOME/hub`, else `$XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`.
    ///
    /// - Parameters:
    ///   - argument: what the user typed.
    ///   - environment: the environment variables that decide where the cache is.
    /// - Throws: ``ModelFileError`` that says where it looked and which command downloads the model.
    public static func resolve(
        _ argument: String, environment: [String: String]
    ) throws(ModelFileError) -> String {
        switch FileSystem.kind(of: argument) {
        case .folder: return argument
        case .file, .other:
            throw ModelFileError(.inaccessible, file: argument, "expected the folder of a model, found a file")
        case .missing: break
        }
        guard let repository = HubRepository(argument) else {
            throw ModelFileError(
                .inaccessible, file: argument,
                "no such folder, and not a model of the form ORGANISATION/NAME either")
        }
        guard let cache = HubRepository.cacheFolder(environment: environment) else {
            throw ModelFileError(
                .inaccessible, file: argument,
                "no such folder, and no Hugging Face cache to look in: neither HF_HUB_CACHE nor HF_HOME nor HOME is set"
            )
        }
        return try repository.snapshot(inCache: cache)
    }
}
