// false: fails.
int main() { return 1; }
