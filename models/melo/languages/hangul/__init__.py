"""What `models.melo.languages.korean` is made of: the rules of pronunciation, the words beyond them, and loanwords."""
