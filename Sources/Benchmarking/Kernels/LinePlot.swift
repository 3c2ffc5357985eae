/// Lines over two logarithmic axes, as SVG: the horizontal one in powers of two, the vertical one in decades.
///
/// The same lines give the same text.
struct LinePlot {
    /// A point; both coordinates finite and above zero.
    struct Point {
        let x: Double
        let y: Double
    }

    /// A line through points.
    struct Line {
        let name: String
        let points: [Point]
        var isDashed = false
    }

    let title: String
    let horizontalTitle: String
    let verticalTitle: String
    let lines: [Line]

    static let width = 720.0
    static let height = 420.0
    /// The area inside the axes.
    static let area = (left: 80.0, right: 580.0, top: 48.0, bottom: 360.0)
    // Distinguishable with every kind of colour vision (Okabe and Ito 2008).
    private static let colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]

    /// A document of plots, one below the other.
    static func document(_ plots: [LinePlot]) -> String {
        let height = height * Double(plots.count)
        let groups = plots.enumerated().map { index, plot in
            "<g transform=\"translate(0 \(format(Self.height * Double(index))))\">\n\(plot.body)</g>\n"
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(format(width))" height="\(format(height))" \
            viewBox="0 0 \(format(width)) \(format(height))" font-family="sans-serif" font-size="12" fill="#222">
            <rect width="100%" height="100%" fill="#fff"/>
            \(groups.joined())</svg>

            """
    }

    /// The elements of one plot.
    private var body: String {
        let points = lines.flatMap(\.points)
        let horizontal = LogarithmicAxis(points.map(\.x), base: 2, from: Self.area.left, to: Self.area.right)
        let vertical = LogarithmicAxis(points.map(\.y), base: 10, from: Self.area.bottom, to: Self.area.top)
        var text = Self.text(title, x: Self.area.left, y: 26, "font-size=\"15\"")
        text += frame(horizontal, vertical)
        for (index, line) in lines.enumerated() { text += elements(of: line, index, horizontal, vertical) }
        return text
    }

    private func frame(_ horizontal: LogarithmicAxis, _ vertical: LogarithmicAxis) -> String {
        let area = Self.area
        var text = ""
        for tick in horizontal.ticks {
            let x = horizontal.position(of: tick)
            text += Self.segment(x, area.top, x, area.bottom)
            text += Self.text(Self.label(tick), x: x, y: area.bottom + 18, "text-anchor=\"middle\"")
        }
        for tick in vertical.ticks {
            let y = vertical.position(of: tick)
            text += Self.segment(area.left, y, area.right, y)
            text += Self.text(Self.label(tick), x: area.left - 8, y: y + 4, "text-anchor=\"end\"")
        }
        let (x, y) = ((area.left + area.right) / 2, (area.top + area.bottom) / 2)
        text += Self.text(horizontalTitle, x: x, y: area.bottom + 42, "text-anchor=\"middle\"")
        let turned = "text-anchor=\"middle\" transform=\"rotate(-90 20 \(Self.format(y)))\""
        return text + Self.text(verticalTitle, x: 20, y: y, turned)
    }

    private func elements(
        of line: Line, _ index: Int, _ horizontal: LogarithmicAxis, _ vertical: LogarithmicAxis
    ) -> String {
        let color = Self.colors[index % Self.colors.count]
        let dashes = line.isDashed ? " stroke-dasharray=\"6 4\"" : ""
        let positions = line.points.map { (horizontal.position(of: $0.x), vertical.position(of: $0.y)) }
        let path = positions.map { "\(Self.format($0)),\(Self.format($1))" }.joined(separator: " ")
        var text = "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(color)\" stroke-width=\"2\"\(dashes)/>\n"
        if !line.isDashed {
            for (x, y) in positions {
                text += "<circle cx=\"\(Self.format(x))\" cy=\"\(Self.format(y))\" r=\"3\" fill=\"\(color)\"/>\n"
            }
        }
        let (left, y) = (Self.area.right + 16, Self.area.top + 12 + 20 * Double(index))
        text += Self.segment(left, y, left + 24, y, "stroke=\"\(color)\" stroke-width=\"2\"\(dashes)")
        return text + Self.text(line.name, x: left + 32, y: y + 4)
    }

    private static func segment(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ attributes: String = "stroke=\"#ddd\""
    ) -> String {
        "<line x1=\"\(format(x1))\" y1=\"\(format(y1))\" x2=\"\(format(x2))\" y2=\"\(format(y2))\" \(attributes)/>\n"
    }

    private static func text(_ content: String, x: Double, y: Double, _ attributes: String = "") -> String {
        let start = "<text x=\"\(format(x))\" y=\"\(format(y))\"" + (attributes.isEmpty ? "" : " " + attributes)
        return start + ">\(escaped(content))</text>\n"
    }

    private static func escaped(_ text: String) -> String {
        text.map { character in
            switch character {
            case "&": "&amp;"
            case "<": "&lt;"
            case ">": "&gt;"
            case "\"": "&quot;"
            default: String(character)
            }
        }.joined()
    }

    private static func label(_ value: Double) -> String {
        var decimals = 0
        var scaled = value
        while scaled < 0.999, decimals < 6 {
            scaled *= 10
            decimals += 1
        }
        return value.formatted(decimals: decimals)
    }

    private static func format(_ coordinate: Double) -> String { coordinate.formatted(decimals: 1) }
}
