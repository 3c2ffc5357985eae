import Testing

@testable import Benchmarking

@Suite struct LinePlotTests {
    private let plot = LinePlot(
        title: "a < b & \"c\"", horizontalTitle: "tokens", verticalTitle: "microseconds",
        lines: [
            LinePlot.Line(name: "one", points: [.init(x: 1, y: 10), .init(x: 16, y: 1000)]),
            LinePlot.Line(name: "limit", points: [.init(x: 1, y: 10), .init(x: 4, y: 100)], isDashed: true),
        ])

    @Test("powers of two lie equally far apart, and the ends on the ends of the axis")
    func positions() {
        let axis = LogarithmicAxis([1, 512], base: 2, from: 100, to: 1000)
        #expect(axis.ticks == (0..<10).map { Double(1 << $0) })
        for (index, tick) in axis.ticks.enumerated() {
            #expect((axis.position(of: tick) - 100 * Double(index + 1)).magnitude < 1e-9)
        }
    }

    @Test("an axis of one value has two ends, and one of many powers has few ticks")
    func unusualAxes() {
        #expect(LogarithmicAxis([8], base: 2, from: 0, to: 1).ticks == [8, 16])
        #expect(LogarithmicAxis([], base: 10, from: 0, to: 1).ticks == [1, 10])
        #expect(LogarithmicAxis([1e-9, 1e9], base: 2, from: 0, to: 1).ticks.count <= 14)
        #expect(LogarithmicAxis([1000], base: 10, from: 0, to: 1).ticks == [1000, 10000])
    }

    @Test("draws each line through its points, on axes of tokens and time")
    func lines() {
        let text = LinePlot.document([plot])
        // The area spans x 80 to 580 and y 360 up to 48: 1 to 16 tokens, 10 to 1000 microseconds.
        #expect(text.contains("points=\"80.0,360.0 580.0,48.0\""))
        #expect(text.contains("points=\"80.0,360.0 330.0,204.0\""))
        #expect(text.contains("stroke-dasharray"))
    }

    @Test("is well-formed: elements are closed in order, and text is escaped")
    func wellFormed() {
        let text = LinePlot.document([plot, plot])
        #expect(text.contains(">a &lt; b &amp; &quot;c&quot;</text>"))
        var open: [Substring] = []
        for piece in text.split(separator: "<") where !piece.allSatisfy(\.isWhitespace) {
            let parts = piece.split(separator: ">", maxSplits: 1, omittingEmptySubsequences: false)
            #expect(parts.count == 2)
            let tag = parts[0]
            #expect(tag.count { $0 == "\"" }.isMultiple(of: 2))
            let name = tag.drop { $0 == "/" }.prefix { $0.isLetter }
            if tag.hasPrefix("/") {
                #expect(open.popLast() == name)
            } else if !tag.hasSuffix("/") {
                open.append(name)
            }
        }
        #expect(open.isEmpty)
        #expect(!text.contains("<script"))
    }

    @Test("the same lines give the same text")
    func deterministic() { #expect(LinePlot.document([plot]) == LinePlot.document([plot])) }
}
