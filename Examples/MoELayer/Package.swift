// swift-tools-version:6.2
import PackageDescription

let package = Package(
    name: "MoELayer",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "nibble", path: "../..")],
    targets: [
        .executableTarget(
            name: "MoELayer",
            dependencies: [
                .product(name: "FP4", package: "nibble"), .product(name: "NibbleKernels", package: "nibble"),
                .product(name: "NibbleCUDA", package: "nibble"),
            ])
    ])
