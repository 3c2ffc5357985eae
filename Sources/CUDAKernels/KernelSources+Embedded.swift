internal import CKernels
public import CUDA

extension KernelSources {
    /// The kernels that are part of the program, as text.
    public static var embedded: KernelSources {
        var count = 0
        let sources = UnsafeBufferPointer(start: kernel_sources(&count), count: count)
        let files = sources.map { source in
            let text = UnsafeRawBufferPointer(start: source.bytes, count: source.count)
            return (String(cString: source.path), String(decoding: text, as: UTF8.self))
        }
        return KernelSources(files: Dictionary(files) { first, _ in first })
    }
}
