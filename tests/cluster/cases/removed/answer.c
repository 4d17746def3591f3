/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* answer.c - a library, of one build or the other; also a program that does nothing */

int answer(void);
#ifndef ANSWER
#define ANSWER 0
int main(void)
{
	return answer();
}
#endif
int answer(void)
{
	return ANSWER;
}
