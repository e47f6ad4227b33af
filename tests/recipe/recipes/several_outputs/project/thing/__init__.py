def main():
    print("thing")
