// swift-tools-version:6.2
import PackageDescription

// A package of its own: fuzzing needs compiler flags that a package which others depend on must not set. `run.sh` passes
// the same flags to the targets under test, which makes them report their coverage.
let package = Package(
    name: "nibble-fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "nibble", path: "..")],
    targets: [
        .target(name: "CLibFuzzer"),
        .executableTarget(
            name: "fuzz",
            dependencies: ["CLibFuzzer", .product(name: "NibbleModelFiles", package: "nibble")],
            swiftSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])]),
    ],
    swiftLanguageModes: [.v6]
)
