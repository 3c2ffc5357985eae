import Testing

@testable import Engine

@Suite struct StopSequencesTests {
    private func run(_ stops: [String], _ pieces: [String]) -> (text: String, isStopped: Bool) {
        var sequences = StopSequences(stops)
        var text = ""
        for piece in pieces {
            let (certain, isStopped) = sequences.append(piece)
            text += certain
            if isStopped { return (text, true) }
        }
        return (text + sequences.finish(), false)
    }

    @Test("finds a stop string across pieces, and gives what precedes it")
    func acrossPieces() {
        #expect(run(["END"], ["one E", "N", "D two"]) == ("one ", true))
        #expect(run(["aab"], ["aaa", "b"]) == ("a", true))
    }

    @Test("gives back text that only began like a stop string")
    func partialMatches() {
        #expect(run(["END"], ["EN", "EN", "x"]) == ("ENENx", false))
        #expect(run(["END"], ["one EN"]) == ("one EN", false))
    }

    @Test("the first of several stop strings counts")
    func firstMatch() {
        #expect(run(["cd", "b"], ["abcd"]) == ("a", true))
    }

    @Test("characters of several bytes stay whole")
    func multibyte() {
        #expect(run(["é!"], ["caf", "é", "?"]) == ("café?", false))
        #expect(run(["é"], ["cafè ", "é"]) == ("cafè ", true))
    }

    @Test("without stop strings everything passes at once")
    func noStops() {
        var sequences = StopSequences([""])
        #expect(sequences.append("abc") == ("abc", false))
    }
}
