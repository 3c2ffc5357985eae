// swift-tools-version:6.2
import PackageDescription

// CI sets this variable; a package that others depend on must not turn their compiler's new warnings into errors.
let strict = Context.environment["CI"] != nil

let swiftSettings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])
let cSettings: [CSetting] = strict ? [.treatAllWarnings(as: .error)] : []

let orderedCollections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

// The targets, lowest first: arrows point only upwards in this list.
let package = Package(
    name: "nibble",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "FP4", targets: ["FP4"]),
        .library(name: "NibbleKernels", targets: ["Kernels"]),
        .library(name: "NibbleModelFiles", targets: ["ModelFiles", "Models", "Tokenization", "ChatTemplates"]),
        .library(name: "NibbleCUDA", targets: ["CUDA", "CUDAKernels"]),
        .library(name: "Nibble", targets: ["Engine"]),
        .executable(name: "nibble", targets: ["nibble"]),
        // The tests open it in place of the driver and the run-time compiler.
        .library(name: "FakeCUDA", type: .dynamic, targets: ["FakeCUDA"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    ],
    targets: [
        // Number formats and reference arithmetic.
        .target(name: "FP4", swiftSettings: swiftSettings),
        // Untrusted files: JSON, safetensors, model folders and their configuration.
        .target(name: "ModelFiles", dependencies: [orderedCollections], swiftSettings: swiftSettings),
        .target(
            name: "Tokenization", dependencies: ["ModelFiles", orderedCollections, heap],
            swiftSettings: swiftSettings),
        .target(name: "ChatTemplates", dependencies: ["ModelFiles", orderedCollections], swiftSettings: swiftSettings),
        // The operations of the forward pass and the backends that implement them.
        .target(name: "CCPUKernels", cSettings: cSettings),
        .target(name: "Kernels", dependencies: ["FP4", "CCPUKernels"], swiftSettings: swiftSettings),
        // NVIDIA GPUs: the driver and the run-time compiler, opened when the program runs, and the kernels as text.
        .target(name: "CCUDA", cSettings: cSettings),
        .target(name: "CUDA", dependencies: ["CCUDA"], swiftSettings: swiftSettings),
        .target(name: "CKernels", exclude: ["cuda"], cSettings: cSettings),
        .target(
            name: "CUDAKernels", dependencies: ["CUDA", "CKernels", "FP4", "Kernels"], swiftSettings: swiftSettings),
        // Architectures: a configuration becomes a specification, a specification a forward pass.
        .target(
            name: "Models", dependencies: ["FP4", "Kernels", "ModelFiles", orderedCollections],
            swiftSettings: swiftSettings),
        // A BF16 checkpoint becomes an FP4 one.
        .target(name: "Quantization", dependencies: ["FP4", "ModelFiles"], swiftSettings: swiftSettings),
        .target(
            name: "Engine", dependencies: ["Models", "Tokenization", "ChatTemplates", heap],
            swiftSettings: swiftSettings),
        // How fast it is, beside what the machine could do.
        .target(
            name: "Benchmarking", dependencies: ["CUDA", "CUDAKernels", "FP4", "Kernels", "ModelFiles", "Models"],
            swiftSettings: swiftSettings),
        // Does a GPU compute what the CPU computes?
        .target(
            name: "SelfTest", dependencies: ["CUDA", "CUDAKernels", "FP4", "Kernels", "Models"],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "nibble",
            dependencies: [
                "Benchmarking", "CUDA", "CUDAKernels", "Engine", "ModelFiles", "Quantization", "SelfTest",
                argumentParser,
            ],
            swiftSettings: swiftSettings),

        .target(
            name: "TestSupport", dependencies: ["ModelFiles"], path: "Tests/TestSupport",
            swiftSettings: swiftSettings),
        .testTarget(name: "FP4Tests", dependencies: ["FP4", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "ModelFilesTests", dependencies: ["ModelFiles", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "TokenizationTests", dependencies: ["Tokenization", "ModelFiles", "TestSupport"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "ChatTemplatesTests", dependencies: ["ChatTemplates", "TestSupport"], exclude: ["Fixtures"],
            swiftSettings: swiftSettings),
        .testTarget(name: "KernelsTests", dependencies: ["Kernels", "TestSupport"], swiftSettings: swiftSettings),
        .target(name: "FakeCUDA", dependencies: ["CCUDA"], path: "Tests/FakeCUDA", cSettings: cSettings),
        .executableTarget(
            name: "CacheProcess", dependencies: ["CUDA"], path: "Tests/CacheProcess", swiftSettings: swiftSettings),
        .testTarget(
            name: "CUDATests", dependencies: ["CUDA", "CUDAKernels", "FP4", "Kernels", "TestSupport"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "KernelCompileTests", dependencies: ["CUDA", "CUDAKernels", "FP4", "Kernels", "TestSupport"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "SelfTestTests", dependencies: ["CUDAKernels", "FP4", "Kernels", "Models", "SelfTest"],
            swiftSettings: swiftSettings),
        .testTarget(name: "ModelsTests", dependencies: ["Models", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "QuantizationTests", dependencies: ["Quantization", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(name: "EngineTests", dependencies: ["Engine", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "BenchmarkingTests", dependencies: ["Benchmarking", "FP4", "Kernels", "ModelFiles", "Models"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "CommandLineTests", dependencies: ["nibble", "ModelFiles", "TestSupport"],
            swiftSettings: swiftSettings),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c2x
)
