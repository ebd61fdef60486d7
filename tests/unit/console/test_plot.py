"""A device's numbers as pictures."""

from console.plot import HEIGHT, MARGIN, MOST_PLOTS, WIDTH, plot_records


def build_record(variable: str, value: object, second: int = 0) -> dict[str, object]:
    return {"variable": variable, "value": value, "time": f"2026-11-21T12:00:{second:02}Z", "unit": "cm"}


def test_numbers_are_drawn_over_time_whatever_their_order() -> None:
    (plot,) = plot_records([build_record("level", 7, 2), build_record("level", 3, 0), build_record("level", 5, 1)])
    left, right, top, bottom = MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN
    assert plot.points == (
        f"{left:.1f},{bottom:.1f} {WIDTH / 2:.1f},{HEIGHT / 2:.1f} {right:.1f},{top:.1f}"
    )  # fmt: skip
    assert (plot.least, plot.most, plot.newest, plot.count, plot.unit) == (3, 7, 7, 3, "cm")
    assert (plot.begin.second, plot.end.second) == (0, 2)


def test_what_is_no_number_or_alone_is_not_drawn() -> None:
    words = [build_record("word", "a", second) for second in range(2)]
    switches = [build_record("switch", True, second) for second in range(2)]
    places: list[dict[str, object]] = [{"variable": "place", "time": "2026-11-21T12:00:00Z"}] * 2
    assert plot_records([*words, *switches, *places, build_record("alone", 1)]) == []


def test_the_same_value_and_the_greatest_ones_are_drawn_within_the_picture() -> None:
    (flat,) = plot_records([build_record("flat", 1, second) for second in range(2)])
    assert f",{HEIGHT / 2:.1f}" in flat.points
    (wide,) = plot_records([build_record("wide", value, second) for second, value in enumerate((-1.7e308, 1.7e308))])
    heights = [float(point.partition(",")[2]) for point in wide.points.split()]
    assert heights == [HEIGHT - MARGIN, MARGIN]


def test_the_variables_with_the_most_numbers_come_first_and_not_all_of_them() -> None:
    records = [build_record(f"v{index}", second, second) for index in range(9) for second in range(2)]
    plots = plot_records([*records, build_record("v8", 1, 5)])
    assert len(plots) == MOST_PLOTS
    assert plots[0].variable == "v8"
