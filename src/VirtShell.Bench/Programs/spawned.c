// What the program "spawn" starts: nothing but a process.
int main(void)
{
    return 0;
}
