import ModelFiles
import Testing

@Suite struct JSONTextTests {
    @Test("writes what it reads", arguments: JSONTests.good)
    func roundTrip(text: String, value: JSON) throws {
        #expect(try JSON(parsing: value.text()) == value)
        #expect(try JSON(parsing: value.text(indented: true)) == value)
    }

    @Test("writes in one line or indented as Python does")
    func layout() throws {
        let value = try JSON(parsing: #"{"a":[1,2.5,{}],"b":[],"c\n\u0001":"é\"\\"}"#)
        #expect(value.text() == #"{"a":[1,2.5,{}],"b":[],"c\n\u0001":"é\"\\"}"#)
        let indented = """
            {
              "a": [
                1,
                2.5,
                {}
              ],
              "b": [],
              "c\\n\\u0001": "é\\"\\\\"
            }
            """
        #expect(value.text(indented: true) == indented)
    }

    @Test("replaces and removes members, few or many", arguments: [3, 100])
    func members(count: Int) {
        var object = JSONObject()
        for index in 0..<count { object["k\(index)"] = .integer(index) }
        object["k1"] = .null
        object["k0"] = nil
        object["absent"] = nil
        #expect(object.count == count - 1)
        #expect(object.keys.first == "k1")
        #expect(object["k1"] == .null)
        #expect(object["k0"] == nil)
        #expect(object["k\(count - 1)"] == .integer(count - 1))
        object["k0"] = .bool(true)
        #expect(object.keys.last == "k0")
        #expect(object == object)
        #expect(object != JSONObject())
    }
}
