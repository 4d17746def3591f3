% SPDX-License-Identifier: GPL-2.0-or-later
% series.m - Octave: random numbers, eigenvalues, a cell array; on either side of the gate
1;
function r = eigensum (seed)
  rand ("twister", seed);
  a = rand (60);
  r = sum (abs (eig (a + a')));
endfunction
function say (varargin)
  printf (varargin{:});
  fflush (stdout);
endfunction
first = eigensum (1);
kept = cell (1, 5);
say ("%.8f\nready\n", first);
while (! exist ("go", "file"))
  if (eigensum (1) != first)
    say ("another sum at the gate\n");
  endif
  pause (0.5);
endwhile
for i = 1:5
  kept{i} = eigensum (i + 1);
  say ("%.8f %.8f\n", kept{i}, rand ());
endfor
say ("%d %.8f\nend\n", eigensum (1) == first, sum ([kept{:}]));
