"""The program that runs inside a machine under judgement, the memory it runs in, and the scripts it carries out."""
