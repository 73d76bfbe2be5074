// Package spelling finds what a misspelt word was meant to be.
package spelling

// Distance is the number of characters to insert, delete or replace to turn a into b (Levenshtein 1965).
func Distance(a, b string) int {
	const usual = 64
	from, to := []rune(a), []rune(b)
	row := make([]int, 0, usual) // nearly always enough, and no memory of the heap
	for j := range len(to) + 1 {
		row = append(row, j)
	}
	for i, r := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, s := range to {
			replaced := diagonal
			if r != s {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(to)]
}

// Nearest is the known word that was probably meant, the first of several; "" where none is close. The word is at most some hundred
// characters long: time grows with its length.
func Nearest(word string, known []string) string {
	best, least := "", len(word)/3+2
	for _, k := range known {
		if d := Distance(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}
