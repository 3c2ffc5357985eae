#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif
internal import Synchronization

extension MappedFile {
    /// Has the process end with exit code 1 and a line on standard error that names the file, not with a crash, if bytes of
    /// a mapped file cannot be read when they are touched: another program has shortened the file, or its disk failed.
    ///
    /// For programs, which call it once, before files are mapped.
    public static func exitOnLostBytes() {
        guard mappings == nil else { return }
        let entries = UnsafeMutablePointer<Mapping>.allocate(capacity: mappingCapacity)
        entries.initialize(repeating: Mapping(), count: mappingCapacity)
        mappings = entries
        var action = sigaction()
        #if canImport(Glibc)
            action.__sigaction_handler.sa_sigaction = { _, info, _ in
                endProcess(info?.pointee._sifields._sigfault.si_addr)
            }
        #else
            action.__sigaction_u.__sa_sigaction = { _, info, _ in endProcess(info?.pointee.si_addr) }
        #endif
        action.sa_flags = SA_SIGINFO
        sigaction(SIGBUS, &action, nil)
    }

    /// Lets the handler know the file, if there is one and has room.
    func noteMapping() {
        guard let entries = mappings, let start = bytes.baseAddress else { return }
        registration.withLock { _ in
            guard let free = (0..<mappingCapacity).first(where: { entries[$0].path == nil }) else { return }
            entries[free].addresses = UInt(bitPattern: start)..<UInt(bitPattern: start) + UInt(bytes.count)
            entries[free].path = strdup(path)
        }
    }

    /// Before the file is unmapped.
    func forgetMapping() {
        guard let entries = mappings, let start = bytes.baseAddress else { return }
        registration.withLock { _ in
            for index in 0..<mappingCapacity where entries[index].addresses.lowerBound == UInt(bitPattern: start) {
                free(entries[index].path)
                entries[index] = Mapping()
            }
        }
    }
}

/// A mapped file as a signal handler can read it.
private struct Mapping {
    var addresses: Range<UInt> = 0..<0
    var path: UnsafeMutablePointer<CChar>?
}

private let mappingCapacity = 1024
private let registration = Mutex(())
/// Made once, before there are mappings, and never freed.
nonisolated(unsafe) private var mappings: UnsafeMutablePointer<Mapping>?

/// In a signal handler: nothing is allocated and no lock is taken.
private func endProcess(_ address: UnsafeMutableRawPointer?) {
    if let entries = mappings, let address {
        for index in 0..<mappingCapacity where entries[index].addresses.contains(UInt(bitPattern: address)) {
            writeError("Error: ")
            if let path = entries[index].path { _ = write(STDERR_FILENO, path, strlen(path)) }
            writeError(": the file became shorter while it was being read, or its disk failed\n")
            _exit(1)
        }
    }
    // Not a file of ours: the same access again ends the process as it would have.
    signal(SIGBUS, SIG_DFL)
}

private func writeError(_ text: StaticString) {
    _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
}
