"""What translation costs on a real program's addresses: TLB reach, walks in one and two dimensions, exits."""
