def main() -> int:
    print("the full sample runs")
    return 0
