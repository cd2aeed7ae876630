"""Policies: whose memory goes when there is too little. Plain functions of numbers; mechanisms are lawful under any of them."""
