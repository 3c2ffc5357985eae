extension Array {
    /// Makes the count exactly this, without giving memory back.
    mutating func resize(to newCount: Int, with value: Element) {
        if newCount <= count {
            removeLast(count - newCount)
        } else {
            append(contentsOf: repeatElement(value, count: newCount - count))
        }
    }
}
